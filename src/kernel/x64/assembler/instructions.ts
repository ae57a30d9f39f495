/**
 * The instructions the kernels use, in the notation of the Intel and AMD manuals (see `table.ts`), each with the CPU
 * feature it needs. Of two rows that fit, the first is taken.
 */
import { parseTable } from "./table.ts"

export const instructions = parseTable(`
# Integer
mov            r64:w r64/m64:r                         REX.W 8B /r                     RM    base
mov            m64:w r64:r                             REX.W 89 /r                     MR    base
mov            r32:w r32/m32:r                         8B /r                           RM    base
mov            m32:w r32:r                             89 /r                           MR    base
mov            r64:w imm32:r                           REX.W C7 /0 id                  MI    base
movabs         r64:w imm64:r                           REX.W B8 io                     OI    base
lea            r64:w m64:r                             REX.W 8D /r                     RM    base
add            r64:rw r64/m64:r                        REX.W 03 /r                     RM    base; flags:w
add            r64:rw imm32:r                          REX.W 81 /0 id                  MI    base; flags:w
adc            r64:rw r64/m64:r                        REX.W 13 /r                     RM    base; flags:rw
adc            r64:rw imm32:r                          REX.W 81 /2 id                  MI    base; flags:rw
sub            r64:rw r64/m64:r                        REX.W 2B /r                     RM    base; flags:w
sub            r64:rw imm32:r                          REX.W 81 /5 id                  MI    base; flags:w
sbb            r64:rw r64/m64:r                        REX.W 1B /r                     RM    base; flags:rw
sbb            r64:rw imm32:r                          REX.W 81 /3 id                  MI    base; flags:rw
sbb            r32:rw r32:r                            1B /r                           RM    base; flags:rw
and            r64:rw r64/m64:r                        REX.W 23 /r                     RM    base; flags:w
and            r64:rw imm32:r                          REX.W 81 /4 id                  MI    base; flags:w
xor            r32:rw r32:r                            33 /r                           RM    base; flags:w
xor            r64:rw r64/m64:r                        REX.W 33 /r                     RM    base; flags:w
cmp            r64:r r64/m64:r                         REX.W 3B /r                     RM    base; flags:w
cmp            r64:r imm32:r                           REX.W 81 /7 id                  MI    base; flags:w
test           r64:r r64:r                             REX.W 85 /r                     MR    base; flags:w
shl            r64:rw imm8:r                           REX.W C1 /4 ib                  MI    base; flags:w
shr            r64:rw imm8:r                           REX.W C1 /5 ib                  MI    base; flags:w
shld           r64:rw r64:r imm8:r                     REX.W 0F A4 /r ib               MRI   base; flags:w
imul           r64:rw r64/m64:r                        REX.W 0F AF /r                  RM    base; flags:w
cmovc          r64:rw r64/m64:r                        REX.W 0F 42 /r                  RM    base; flags:r
cmovnc         r64:rw r64/m64:r                        REX.W 0F 43 /r                  RM    base; flags:r
push           r64:r                                   50                              O     base
pop            r64:w                                   58                              O     base
jmp            rel32:r                                 E9 cd                           D     base
jnz            rel32:r                                 0F 85 cd                        D     base; flags:r
jz             rel32:r                                 0F 84 cd                        D     base; flags:r
jc             rel32:r                                 0F 82 cd                        D     base; flags:r
call           rel32:r                                 E8 cd                           D     base
ret            -                                       C3                              -     base
cpuid          -                                       0F A2                           -     base
xgetbv         -                                       0F 01 D0                        -     base
tzcnt          r64:w r64/m64:r                         F3 REX.W 0F BC /r               RM    bmi1; flags:w
blsr           r64:w r64/m64:r                         VEX.LZ.0F38.W1 F3 /1            VM    bmi1; flags:w
mulx           r64:w r64:w r64/m64:r                   VEX.LZ.F2.0F38.W1 F6 /r         RVM   bmi2; rdx:r
rorx           r64:w r64/m64:r imm8:r                  VEX.LZ.F2.0F3A.W1 F0 /r ib      RMI   bmi2
adcx           r64:rw r64/m64:r                        66 REX.W 0F 38 F6 /r            RM    adx; flags:rw
adox           r64:rw r64/m64:r                        F3 REX.W 0F 38 F6 /r            RM    adx; flags:rw

# 256-bit vectors
vmovdqu        ymm:w ymm/m256:r                        VEX.256.F3.0F.WIG 6F /r         RM    avx2
vmovdqu        m256:w ymm:r                            VEX.256.F3.0F.WIG 7F /r         MR    avx2
vpbroadcastq   ymm:w m64:r                             VEX.256.66.0F38.W0 59 /r        RM    avx2
vpbroadcastq   ymm:w xmm:r                             VEX.256.66.0F38.W0 59 /r        RM    avx2
vmovq          xmm:w r64:r                             VEX.128.66.0F.W1 6E /r          RM    avx2
vpaddq         ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG D4 /r         RVM   avx2
vpsubq         ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG FB /r         RVM   avx2
vpand          ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG DB /r         RVM   avx2
vpandn         ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG DF /r         RVM   avx2
vpor           ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG EB /r         RVM   avx2
vpxor          ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG EF /r         RVM   avx2
vpmuludq       ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG F4 /r         RVM   avx2
vpcmpgtq       ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F38.WIG 37 /r       RVM   avx2
vpblendd       ymm:w ymm:r ymm/m256:r imm8:r           VEX.256.66.0F3A.W0 02 /r ib     RVMI  avx2
vpsrlq         ymm:w ymm:r imm8:r                      VEX.256.66.0F.WIG 73 /2 ib      VMI   avx2
vpsllq         ymm:w ymm:r imm8:r                      VEX.256.66.0F.WIG 73 /6 ib      VMI   avx2
vpshufd        ymm:w ymm/m256:r imm8:r                 VEX.256.66.0F.WIG 70 /r ib      RMI   avx2
vpshufb        ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F38.WIG 00 /r       RVM   avx2
vmovshdup      ymm:w ymm/m256:r                        VEX.256.F3.0F.WIG 16 /r         RM    avx2
vmovmskpd      r32:w ymm:r                             VEX.256.66.0F.WIG 50 /r         RM    avx2
vzeroupper     -                                       VEX.128.0F.WIG 77               -     avx2

# 512-bit vectors
vmovdqu64      zmm:w zmm/m512:r                        EVEX.512.F3.0F.W1 6F /r         RM    avx512f
vmovdqu64      m512:w zmm:r                            EVEX.512.F3.0F.W1 7F /r         MR    avx512f
vpbroadcastq   zmm:w m64:r                             EVEX.512.66.0F38.W1 59 /r       RM    avx512f
vpbroadcastq   zmm:w r64:r                             EVEX.512.66.0F38.W1 7C /r       RM    avx512f
vpaddq         zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F.W1 D4 /r         RVM   avx512f
vpsubq         zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F.W1 FB /r         RVM   avx512f
vpandq         zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F.W1 DB /r         RVM   avx512f
vporq          zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F.W1 EB /r         RVM   avx512f
vpxorq         zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F.W1 EF /r         RVM   avx512f
vpmuludq       zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F.W1 F4 /r         RVM   avx512f
vpminuq        zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F38.W1 3B /r       RVM   avx512f
vpternlogq     zmm:rw zmm:r zmm/m512/m64bcst:r imm8:r  EVEX.512.66.0F3A.W1 25 /r ib    RVMI  avx512f
vpmadd52luq    zmm:rw zmm:r zmm/m512/m64bcst:r         EVEX.512.66.0F38.W1 B4 /r       RVM   avx512ifma
vpmadd52huq    zmm:rw zmm:r zmm/m512/m64bcst:r         EVEX.512.66.0F38.W1 B5 /r       RVM   avx512ifma
vpsrlq         zmm:w zmm/m512/m64bcst:r imm8:r         EVEX.512.66.0F.W1 73 /2 ib      VMI   avx512f
vpsraq         zmm:w zmm/m512/m64bcst:r imm8:r         EVEX.512.66.0F.W1 72 /4 ib      VMI   avx512f
vpsllq         zmm:w zmm/m512/m64bcst:r imm8:r         EVEX.512.66.0F.W1 73 /6 ib      VMI   avx512f
vpshufb        zmm:w zmm:r zmm/m512:r                  EVEX.512.66.0F38.WIG 00 /r      RVM   avx512bw
vmovshdup      zmm:w zmm/m512:r                        EVEX.512.F3.0F.W0 16 /r         RM    avx512f
vpblendmd      zmm:w zmm:r zmm/m512:r                  EVEX.512.66.0F38.W0 64 /r       RVM   avx512f
vpcmpq         k:w zmm:r zmm/m512/m64bcst:r imm8:r     EVEX.512.66.0F3A.W1 1F /r ib    RVMI  avx512f
vpcmpuq        k:w zmm:r zmm/m512/m64bcst:r imm8:r     EVEX.512.66.0F3A.W1 1E /r ib    RVMI  avx512f
kmovw          r32:w k:r                               VEX.LZ.0F.W0 93 /r              RM    avx512f
kmovw          k:w r32:r                               VEX.LZ.0F.W0 92 /r              RM    avx512f
`)
