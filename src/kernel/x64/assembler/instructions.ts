/**
 * The instructions that the kernels use, in the notation of the Intel and AMD manuals (see `table.ts`), with the CPU
 * feature that each requires. If several forms match, the first is used.
 */
import { parseTable } from "./table.ts"

export const instructions = parseTable(`
# Integer
mov            r64:w r64/m64:r                         REX.W 8B /r                     RM    base
mov            m64:w r64:r                             REX.W 89 /r                     MR    base
mov            m32:w r32:r                             89 /r                           MR    base
mov            r64/m64:w imm32:r                       REX.W C7 /0 id                  MI    base
mov            r32:w r32/m32:r                         8B /r                           RM    base
lea            r64:w m64:r                             REX.W 8D /r                     RM    base
add            r64:rw r64/m64:r                        REX.W 03 /r                     RM    base; flags:w
add            r64/m64:rw imm32:r                      REX.W 81 /0 id                  MI    base; flags:w
adc            r64:rw r64/m64:r                        REX.W 13 /r                     RM    base; flags:rw
adc            r64:rw imm32:r                          REX.W 81 /2 id                  MI    base; flags:rw
sub            r64:rw r64/m64:r                        REX.W 2B /r                     RM    base; flags:w
sub            r64/m64:rw imm32:r                      REX.W 81 /5 id                  MI    base; flags:w
sbb            r32:rw r32:r                            1B /r                           RM    base; flags:rw
cmp            r64:r r64/m64:r                         REX.W 3B /r                     RM    base; flags:w
xor            r64:rw r64/m64:r                        REX.W 33 /r                     RM    base; flags:w
cmovb          r64:rw r64/m64:r                        REX.W 0F 42 /r                  RM    base; flags:r
cmovg          r64:rw r64/m64:r                        REX.W 0F 4F /r                  RM    base; flags:r
imul           r64:rw r64/m64:r                        REX.W 0F AF /r                  RM    base; flags:w
mul            r64/m64:r                               REX.W F7 /4                     M     base; flags:w rax:rw rdx:w
mulx           r64:w r64:w r64/m64:r                   VEX.LZ.F2.0F38.W1 F6 /r         RVM   bmi2; rdx:r
shr            r64:rw imm8:r                           REX.W C1 /5 ib                  MI    base; flags:w
shrx           r64:w r64/m64:r r64:r                   VEX.LZ.F2.0F38.W1 F7 /r         RMV   bmi2
bswap          r32:rw                                  0F C8                           O     base
bswap          r64:rw                                  REX.W 0F C8                     O     base
push           r64:r                                   50                              O     base
pop            r64:w                                   58                              O     base
jnz            rel32:r                                 0F 85 cd                        D     base; flags:r
call           rel32:r                                 E8 cd                           D     base
call           r64:r                                   FF /2                           M     base
ret            -                                       C3                              -     base
cpuid          -                                       0F A2                           -     base
xgetbv         -                                       0F 01 D0                        -     base

# 128-bit vectors
movups         xmm:w xmm/m128:r                        0F 10 /r                        RM    base
movups         m128:w xmm:r                            0F 11 /r                        MR    base

# 256-bit vectors
vmovdqu        ymm:w ymm/m256:r                        VEX.256.F3.0F.WIG 6F /r         RM    avx2
vmovdqu        m256:w ymm:r                            VEX.256.F3.0F.WIG 7F /r         MR    avx2
vpbroadcastq   ymm:w m64:r                             VEX.256.66.0F38.W0 59 /r        RM    avx2
vpaddq         ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG D4 /r         RVM   avx2
vpsubq         ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG FB /r         RVM   avx2
vpand          ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG DB /r         RVM   avx2
vpxor          ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG EF /r         RVM   avx2
vpmuludq       ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F.WIG F4 /r         RVM   avx2
vpcmpgtq       ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F38.WIG 37 /r       RVM   avx2
vpblendd       ymm:w ymm:r ymm/m256:r imm8:r           VEX.256.66.0F3A.W0 02 /r ib     RVMI  avx2
vpsrlq         ymm:w ymm:r imm8:r                      VEX.256.66.0F.WIG 73 /2 ib      VMI   avx2
vpsllq         ymm:w ymm:r imm8:r                      VEX.256.66.0F.WIG 73 /6 ib      VMI   avx2
vpshufb        ymm:w ymm:r ymm/m256:r                  VEX.256.66.0F38.WIG 00 /r       RVM   avx2
vmovmskpd      r32:w ymm:r                             VEX.256.66.0F.WIG 50 /r         RM    avx2
vzeroupper     -                                       VEX.128.0F.WIG 77               -     avx2

# 512-bit vectors
vmovdqu64      zmm:w zmm/m512:r                        EVEX.512.F3.0F.W1 6F /r         RM    avx512f
vmovdqu64      m512:w zmm:r                            EVEX.512.F3.0F.W1 7F /r         MR    avx512f
vpbroadcastq   zmm:w m64:r                             EVEX.512.66.0F38.W1 59 /r       RM    avx512f
vpaddq         zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F.W1 D4 /r         RVM   avx512f
vpsubq         zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F.W1 FB /r         RVM   avx512f
vpandq         zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F.W1 DB /r         RVM   avx512f
vpxorq         zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F.W1 EF /r         RVM   avx512f
vpmuludq       zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F.W1 F4 /r         RVM   avx512f
vpminuq        zmm:w zmm:r zmm/m512/m64bcst:r          EVEX.512.66.0F38.W1 3B /r       RVM   avx512f
vpmadd52luq    zmm:rw zmm:r zmm/m512/m64bcst:r         EVEX.512.66.0F38.W1 B4 /r       RVM   avx512ifma
vpmadd52huq    zmm:rw zmm:r zmm/m512/m64bcst:r         EVEX.512.66.0F38.W1 B5 /r       RVM   avx512ifma
vpsrlq         zmm:w zmm/m512/m64bcst:r imm8:r         EVEX.512.66.0F.W1 73 /2 ib      VMI   avx512f
vpsraq         zmm:w zmm/m512/m64bcst:r imm8:r         EVEX.512.66.0F.W1 72 /4 ib      VMI   avx512f
vpsllq         zmm:w zmm/m512/m64bcst:r imm8:r         EVEX.512.66.0F.W1 73 /6 ib      VMI   avx512f
vmovsldup      zmm:w zmm/m512:r                        EVEX.512.F3.0F.W0 12 /r         RM    avx512f
vpshufb        zmm:w zmm:r zmm/m512:r                  EVEX.512.66.0F38.WIG 00 /r      RVM   avx512bw
vpcmpq         k:w zmm:r zmm/m512/m64bcst:r imm8:r     EVEX.512.66.0F3A.W1 1F /r ib    RVMI  avx512f
vpcmpuq        k:w zmm:r zmm/m512/m64bcst:r imm8:r     EVEX.512.66.0F3A.W1 1E /r ib    RVMI  avx512f
kmovw          k:w r32:r                               VEX.LZ.0F.W0 92 /r              RM    avx512f
kmovw          r32:w k:r                               VEX.LZ.0F.W0 93 /r              RM    avx512f
`)
