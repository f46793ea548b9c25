#include "failure.hpp"

#include <cstdio>
#include <cstdlib>

namespace fuzz {

void broken(const char* promise, const std::string& details) {
  std::fprintf(stderr, "broken promise: %s%s%s\n", promise, details.empty() ? "" : "\n  ", details.c_str());
  std::abort();
}

std::string describe(const std::optional<Error>& error) {
  if (!error) return "no error";
  if (error->refused) return "invalid argument: " + error->message;
  return freqlearn::join("error kind ", static_cast<int>(error->kind), " at byte ", error->offset, ": ",
                         error->message);
}

}  // namespace fuzz
