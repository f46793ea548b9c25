// What execute() promises: its memory, its numbers, its errors.
#pragma once

#include "check_decoders.hpp"

namespace fuzz {

// Returns whether execute() carried the script's plan out.
bool check_execute(freqlearn::Bytes file, const Reference& reference, Script script);

}  // namespace fuzz
