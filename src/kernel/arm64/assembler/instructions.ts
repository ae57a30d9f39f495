import { type Form, parseTable } from "./table.ts"

/** The forms of all emitted instructions, by syntax. Source: Arm Architecture Reference Manual. */
export const FORMS: ReadonlyMap<string, Form> = parseTable(`
// integers
add Xd, Xn, Xm                     10001011000mmmmm000000nnnnnddddd   d
add Xd, Xn, #i                     1001000100iiiiiiiiiiiinnnnnddddd   d
add Xd, Xn, Xm, lsr #i             10001011010mmmmmiiiiiinnnnnddddd   d
adds Xd, Xn, Xm                    10101011000mmmmm000000nnnnnddddd   d   w
adc Xd, Xn, Xm                     10011010000mmmmm000000nnnnnddddd   d   r
sub Xd, Xn, Xm                     11001011000mmmmm000000nnnnnddddd   d
sub Xd, Xn, #i                     1101000100iiiiiiiiiiiinnnnnddddd   d
sub Xd, Xn, Xm, lsr #i             11001011010mmmmmiiiiiinnnnnddddd   d
cmp Xn, Xm                         11101011000mmmmm000000nnnnn11111   -   w
csel Xd, Xn, Xm, hs                10011010100mmmmm001000nnnnnddddd   d   r
csetm Wd, hs                       010110101001111100110011111ddddd   d   r
cset Wd, hi                        000110101001111110010111111ddddd   d   r
mov Xd, Xm                         10101010000mmmmm00000011111ddddd   d
mov Wd, Wm                         00101010000mmmmm00000011111ddddd   d
mov Wd, #-1                        000100101000000000000000000ddddd   d
mov Xd, #i                         11010010100iiiiiiiiiiiiiiiiddddd   d
lsr Xd, Xn, #i                     1101001101iiiiii111111nnnnnddddd   d
lsl Xd, Xn, #32                    1101001101100000011111nnnnnddddd   d
mul Xd, Xn, Xm                     10011011000mmmmm011111nnnnnddddd   d
umulh Xd, Xn, Xm                   10011011110mmmmm011111nnnnnddddd   d
umull Xd, Wn, Wm                   10011011101mmmmm011111nnnnnddddd   d
umaddl Xd, Wn, Wm, Xa              10011011101mmmmm0aaaaannnnnddddd   d
rev Xd, Xn                         1101101011000000000011nnnnnddddd   d
rev Wd, Wn                         0101101011000000000010nnnnnddddd   d

// memory
ldr Xd, [Xn, #i*8]                 1111100101iiiiiiiiiiiinnnnnddddd   d
str Xd, [Xn, #i*8]                 1111100100iiiiiiiiiiiinnnnnddddd
str Wd, [Xn, #i*4]                 1011100100iiiiiiiiiiiinnnnnddddd
ldr Qd, [Xn, #i*16]                0011110111iiiiiiiiiiiinnnnnddddd   d
str Qd, [Xn, #i*16]                0011110110iiiiiiiiiiiinnnnnddddd
str Dd, [Xn, #i*8]                 1111110100iiiiiiiiiiiinnnnnddddd
ldp Xd, Xt, [Xn, #i*8]             1010100101iiiiiiitttttnnnnnddddd   d,t
stp Xd, Xt, [Xn, #i*8]             1010100100iiiiiiitttttnnnnnddddd
ldp Dd, Dt, [Xn, #i*8]             0110110101iiiiiiitttttnnnnnddddd   d,t
stp Dd, Dt, [Xn, #i*8]             0110110100iiiiiiitttttnnnnnddddd

// control
adr Xd, label                      0ii10000jjjjjjjjjjjjjjjjjjjddddd   d
bl label                           100101iiiiiiiiiiiiiiiiiiiiiiiiii
b.lo label                         01010100iiiiiiiiiiiiiiiiiii00011   -   r
cbnz Xd, label                     10110101iiiiiiiiiiiiiiiiiiiddddd
ret                                11010110010111110000001111000000
dc cvau, Xd                        110101010000101101111011001ddddd
ic ivau, Xd                        110101010000101101110101001ddddd
dsb ish                            11010101000000110011101110011111
isb                                11010101000000110011111111011111

// vectors
add Vd.2D, Vn.2D, Vm.2D            01001110111mmmmm100001nnnnnddddd   d
add Vd.4S, Vn.4S, Vm.4S            01001110101mmmmm100001nnnnnddddd   d
sub Vd.2D, Vn.2D, Vm.2D            01101110111mmmmm100001nnnnnddddd   d
cmhi Vd.2D, Vn.2D, Vm.2D           01101110111mmmmm001101nnnnnddddd   d
and Vd.16B, Vn.16B, Vm.16B         01001110001mmmmm000111nnnnnddddd   d
orr Vd.16B, Vn.16B, Vm.16B         01001110101mmmmm000111nnnnnddddd   d
mvn Vd.16B, Vn.16B                 0110111000100000010110nnnnnddddd   d
rev64 Vd.16B, Vn.16B               0100111000100000000010nnnnnddddd   d
ext Vd.16B, Vn.16B, Vm.16B, #i     01101110000mmmmm0iiii0nnnnnddddd   d
uzp1 Vd.4S, Vn.4S, Vm.4S           01001110100mmmmm000110nnnnnddddd   d
uzp2 Vd.4S, Vn.4S, Vm.4S           01001110100mmmmm010110nnnnnddddd   d
zip1 Vd.4S, Vn.4S, Vm.4S           01001110100mmmmm001110nnnnnddddd   d
zip1 Vd.2D, Vn.2D, Vm.2D           01001110110mmmmm001110nnnnnddddd   d
dup Vd.2D, Xn                      0100111000001000000011nnnnnddddd   d
movi Vd.2D, #0x000000ffffffff      011011110000000011100101111ddddd   d
movi Vd.2D, #0xffffffffffffffff    011011110000011111100111111ddddd   d
xtn Vd.2S, Vn.2D                   0000111010100001001010nnnnnddddd   d
shrn Vd.2S, Vn.2D, #32-i           00001111001iiiii100001nnnnnddddd   d
ushr Vd.2D, Vn.2D, #64-i           0110111101iiiiii000001nnnnnddddd   d
shl Vd.2D, Vn.2D, #i               0100111101iiiiii010101nnnnnddddd   d
usra Vd.2D, Vn.2D, #64-i           0110111101iiiiii000101nnnnnddddd   +d
sli Vd.2D, Vn.2D, #i               0110111101iiiiii010101nnnnnddddd   +d
umull Vd.2D, Vn.2S, Vm.2S          00101110101mmmmm110000nnnnnddddd   d
umlal Vd.2D, Vn.2S, Vm.2S          00101110101mmmmm100000nnnnnddddd   +d
umull Vd.2D, Vn.2S, Vm.S[i]        0010111110immmmm1010j0nnnnnddddd   d
umlal Vd.2D, Vn.2S, Vm.S[i]        0010111110immmmm0010j0nnnnnddddd   +d
umull2 Vd.2D, Vn.4S, Vm.4S         01101110101mmmmm110000nnnnnddddd   d
umlal2 Vd.2D, Vn.4S, Vm.S[i]       0110111110immmmm0010j0nnnnnddddd   +d
uaddw Vd.2D, Vn.2D, Vm.2S          00101110101mmmmm000100nnnnnddddd   d
uaddw2 Vd.2D, Vn.2D, Vm.4S         01101110101mmmmm000100nnnnnddddd   d
usubw Vd.2D, Vn.2D, Vm.2S          00101110101mmmmm001100nnnnnddddd   d

// scalable vectors, of which the low 128 bits are used (SVE2)
mul Zd.D, Zn.D, Zm.D               00000100111mmmmm011000nnnnnddddd   d
umulh Zd.D, Zn.D, Zm.D             00000100111mmmmm011011nnnnnddddd   d
umullb Zd.D, Zn.S, Zm.S            01000101110mmmmm011110nnnnnddddd   d
`)
