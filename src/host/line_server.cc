#include "host/line_server.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace powercut {
namespace {

constexpr std::size_t kTurnBytes = 8192;  // of one client, before the others have their turn
constexpr int kQueueLength = 64;          // of clients that wait to be taken

}  // namespace

Result<std::unique_ptr<LineServer>> LineServer::open(const std::filesystem::path& path,
                                                     std::size_t line_bytes_max, Answer answer) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& name = path.native();
  if (name.size() >= sizeof address.sun_path) {
    return fail_with(Errc::kInvalid, "the path of a socket is too long; set TMPDIR", name);
  }
  std::memcpy(address.sun_path, name.data(), name.size());
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.is_open()) return os_failure("cannot make a socket", name, errno);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const Errc code = errno == EADDRINUSE ? Errc::kExists : Errc::kIo;
    return fail_with(code, "cannot bind a socket", name, static_cast<std::uint64_t>(errno));
  }
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.is_open() || ::listen(listener.get(), kQueueLength) != 0) {
    const int os_error = errno;
    ::unlink(name.c_str());
    return os_failure("cannot listen on a socket", name, os_error);
  }
  std::unique_ptr<LineServer> server(new LineServer(path, std::move(listener), std::move(wake),
                                                    line_bytes_max, std::move(answer)));
  LineServer* const self = server.get();
  server->thread_ = std::jthread([self](const std::stop_token& stop) { self->serve(stop); });
  return server;
}

LineServer::~LineServer() {
  thread_.request_stop();
  const std::uint64_t one = 1;
  const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  static_cast<void>(written);  // it fails only when the thread has been woken already
  if (thread_.joinable()) thread_.join();
  ::unlink(path_.c_str());
}

void LineServer::serve(const std::stop_token& stop) {
  std::vector<pollfd> waited;
  while (!stop.stop_requested()) {
    waited.assign({{wake_.get(), POLLIN, 0}});
    // Whoever comes while there is no room waits in the queue.
    const bool has_room = clients_.size() < kClientsMax;
    waited.push_back({has_room ? listener_.get() : -1, POLLIN, 0});
    for (const Client& client : clients_) waited.push_back({client.socket.get(), POLLIN, 0});
    if (::poll(waited.data(), waited.size(), -1) < 0 && errno != EINTR) return;
    std::size_t at = 2;
    for (auto client = clients_.begin(); client != clients_.end(); ++at) {
      const bool stays = waited[at].revents == 0 || take_input(*client);
      client = stays ? std::next(client) : clients_.erase(client);
    }
    if (waited[1].revents != 0) take_client();
  }
}

void LineServer::take_client() {
  Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket.is_open()) clients_.push_back({std::move(socket), {}});
}

bool LineServer::take_input(Client& client) {
  std::array<char, kTurnBytes> buffer;
  const ssize_t count = ::recv(client.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  if (count == 0) return false;
  client.input.append(buffer.data(), static_cast<std::size_t>(count));
  return answer_lines(client);
}

bool LineServer::answer_lines(Client& client) {
  std::string_view rest = client.input;
  for (std::size_t end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
    if (end > line_bytes_max_) return false;
    const std::string reply = answer_(rest.substr(0, end)) + "\n";
    rest.remove_prefix(end + 1);
    const ssize_t sent =
        ::send(client.socket.get(), reply.data(), reply.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(reply.size())) return false;
  }
  client.input.erase(0, client.input.size() - rest.size());
  return client.input.size() <= line_bytes_max_;
}

}  // namespace powercut
