// How long a header takes: the sidecar's scanner against simdjson's DOM, both reading the same
// fields out of the same bytes. Prints one line of JSON per header.
#include <simdjson.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "header_parser.h"
}

namespace {

using Clock = std::chrono::steady_clock;

struct Read {
  uint64_t id = 0;
  size_t op_bytes = 0, to_bytes = 0;
  bool end = false;
};

// The scanner decodes escapes in place, so it is given a fresh copy each time, as is simdjson.
struct Copy {
  explicit Copy(const std::string &header)
    : header(header), bytes(header.size() + simdjson::SIMDJSON_PADDING) {}
  uint8_t *fresh() {
    std::memcpy(bytes.data(), header.data(), header.size());
    return bytes.data();
  }
  const std::string &header;
  std::vector<uint8_t> bytes;
};

Read with_scanner(Copy &copy) {
  coagent_header header;
  int fault = coagent_header_scan(copy.fresh(), copy.header.size(), &header);
  if (fault != COAGENT_HEADER_OK) std::abort();
  Read read;
  read.id = header.integers[COAGENT_ID - COAGENT_STRINGS];
  read.op_bytes = header.strings[COAGENT_OP].length;
  if (header.present >> COAGENT_TO & 1) read.to_bytes = header.strings[COAGENT_TO].length;
  read.end = header.truths >> COAGENT_END & 1;
  return read;
}

Read with_simdjson(Copy &copy, simdjson::dom::parser &parser) {
  simdjson::dom::object object;
  if (parser.parse(copy.fresh(), copy.header.size(), false).get(object)) std::abort();
  Read read;
  for (auto field : object) {
    if (field.key == "op") read.op_bytes = field.value.get_string().value().size();
    else if (field.key == "to") read.to_bytes = field.value.get_string().value().size();
    else if (field.key == "id") read.id = field.value.get_uint64().value();
    else if (field.key == "end") read.end = field.value.get_bool().value();
  }
  return read;
}

// The best of several rounds: what it costs undisturbed.
template <typename Body>
double nanoseconds(Body body) {
  constexpr int rounds = 9, times = 100000;
  double best = 1e9;
  uint64_t sum = 0;
  for (int round = 0; round < rounds; round++) {
    auto began = Clock::now();
    for (int i = 0; i < times; i++) {
      Read read = body();
      sum += read.id + read.op_bytes + read.to_bytes + read.end;
    }
    std::chrono::duration<double, std::nano> took = Clock::now() - began;
    if (took.count() / times < best) best = took.count() / times;
  }
  volatile uint64_t kept = sum;  // so that nothing is left out
  (void)kept;
  return best;
}

}  // namespace

int main() {
  const std::string headers[] = {
    R"({"op":"data","id":123456,"end":true})",
    R"({"op":"call","id":123456,"to":"bench.echo","type":"Ping","timeout_ms":30000})",
    R"({"op":"call","id":123456,"to":"billing.refunds:c-48213","type":"RefundRequest",)"
    R"("timeout_ms":30000,"window":1048576,)"
    R"("trace":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",)"
    R"("ext":{"tenant":"acme-eu","priority":7}})",
  };
  simdjson::dom::parser parser;
  for (const std::string &header : headers) {
    Copy copy(header);
    Read ours = with_scanner(copy), theirs = with_simdjson(copy, parser);
    if (ours.id != theirs.id || ours.op_bytes != theirs.op_bytes || ours.to_bytes != theirs.to_bytes
        || ours.end != theirs.end) {
      std::fprintf(stderr, "header: the two read differently: %s\n", header.c_str());
      return 1;
    }
    double scanner = nanoseconds([&] { return with_scanner(copy); });
    double dom = nanoseconds([&] { return with_simdjson(copy, parser); });
    std::printf(
      "{\"bytes\":%zu,\"scanner_ns\":%.1f,\"simdjson_ns\":%.1f}\n", header.size(), scanner, dom);
  }
}
