// Answers lines of text on a Unix socket: one line in, one line out.
//
// Bounded: kClientsMax clients at a time (more wait in the socket's queue), lines of at most
// `line_bytes_max` bytes, no memory beyond that.  A client that sends a longer line, or does not
// take its answers, is dropped.  Nobody waits for a client.
// Threads: one of its own, which calls `answer`.
#pragma once

#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "host/file.h"

namespace powercut {

class LineServer {
 public:
  static constexpr std::size_t kClientsMax = 64;
  // `line` is without its newline, and so is what it returns.
  using Answer = std::function<std::string(std::string_view line)>;

  // Makes the socket; there must be nothing at `path`.
  // Errors: kInvalid: the path is too long for a socket; kExists; kIo.
  static Result<std::unique_ptr<LineServer>> open(const std::filesystem::path& path,
                                                  std::size_t line_bytes_max, Answer answer);
  // Ends the thread, within a moment and a call of `answer`, and removes the socket.
  ~LineServer();
  LineServer(const LineServer&) = delete;
  LineServer& operator=(const LineServer&) = delete;

 private:
  struct Client {
    Fd socket;
    std::string input;
  };
  LineServer(std::filesystem::path path, Fd listener, Fd wake, std::size_t line_bytes_max,
             Answer answer)
      : path_(std::move(path)),
        listener_(std::move(listener)),
        wake_(std::move(wake)),
        line_bytes_max_(line_bytes_max),
        answer_(std::move(answer)) {}
  void serve(const std::stop_token& stop);
  void take_client();
  // False: the client is to be dropped.
  bool take_input(Client& client);
  bool answer_lines(Client& client);

  const std::filesystem::path path_;
  const Fd listener_, wake_;
  const std::size_t line_bytes_max_;
  const Answer answer_;
  std::list<Client> clients_;  // the thread's own
  std::jthread thread_;
};

}  // namespace powercut
