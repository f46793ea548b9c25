// Which of the builds of the hot loops this processor can run: one library serves every x86-64; others get the baseline.
#pragma once

#include <vector>

namespace freqlearn {

// avx2: x86-64-v3 (AVX2, FMA, BMI2), avx512: x86-64-v4 (AVX-512 F, BW, CD, DQ, VL).
enum class InstructionSet { baseline, avx2, avx512 };

// Those that this build has and this processor runs, slowest first; never empty.
const std::vector<InstructionSet>& instruction_sets();

inline InstructionSet best_instruction_set() { return instruction_sets().back(); }

const char* name(InstructionSet set);

// One of three functions (or tables of functions) by instruction set; builds without dispatch have only the baseline.
template <class T>
struct ByInstructionSet {
  T baseline, avx2, avx512;

  [[nodiscard]] const T& operator[](InstructionSet set) const {
    return set == InstructionSet::avx512 ? avx512 : set == InstructionSet::avx2 ? avx2 : baseline;
  }
};

}  // namespace freqlearn
