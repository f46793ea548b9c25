#include "cpu.hpp"

#if FREQLEARN_X86_DISPATCH
#include <cpuid.h>
#endif

namespace freqlearn {
namespace {

#if FREQLEARN_X86_DISPATCH
// The rest of x86-64-v3, which older compilers' __builtin_cpu_supports has no names for. A virtual machine may hide any
// of it, and without LZCNT its instructions compute something else.
bool has_rest_of_v3() {
  constexpr unsigned kMovbe = 1U << 22, kF16c = 1U << 29, kLzcnt = 1U << 5;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kMovbe) == 0 || (c & kF16c) == 0) return false;
  return __get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (c & kLzcnt) != 0;
}
#endif

std::vector<InstructionSet> find() {
  std::vector<InstructionSet> sets{InstructionSet::baseline};
#if FREQLEARN_X86_DISPATCH
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") && has_rest_of_v3();
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (v3) sets.push_back(InstructionSet::avx2);
  if (v4) sets.push_back(InstructionSet::avx512);
#endif
  return sets;
}

// When the library is loaded, not at first use: a fork during that first use would leave its guard locked in the child.
const std::vector<InstructionSet> kSets = find();

}  // namespace

const std::vector<InstructionSet>& instruction_sets() { return kSets; }

const char* name(InstructionSet set) {
  switch (set) {
    case InstructionSet::baseline: return "baseline";
    case InstructionSet::avx2: return "avx2";
    case InstructionSet::avx512: return "avx512";
  }
  return "";
}

}  // namespace freqlearn
