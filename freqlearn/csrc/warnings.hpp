// What was odd about a file that could be read nevertheless.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "error.hpp"

namespace freqlearn {

// A damaged file can give one entry every few bytes, so only the first are written, and the rest counted.
class Warnings {
 public:
  template <class... Parts>
  void add(const Parts&... parts) {
    if (texts_.size() < kKept) {
      texts_.push_back(join(parts...));
    } else {
      ++dropped_;
    }
  }

  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> all = texts_;
    if (dropped_ > 0) all.push_back("and " + std::to_string(dropped_) + " more");
    return all;
  }

 private:
  static constexpr std::size_t kKept = 32;
  std::vector<std::string> texts_;
  std::size_t dropped_ = 0;
};

}  // namespace freqlearn
