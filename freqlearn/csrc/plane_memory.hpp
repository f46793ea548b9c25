// Memory for planes. What Python has done with is kept for the next files: committing fresh pages costs as much as a
// quarter of a file's decoding.
#pragma once

#include <cstddef>
#include <memory>

#include "planes.hpp"

namespace freqlearn {

// `blocks` * 64 coefficients, which go back when the last owner is gone; on any thread.
std::shared_ptr<Coefficient[]> plane_memory(std::size_t blocks, Contents contents);

}  // namespace freqlearn
