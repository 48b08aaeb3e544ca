#include "lab/stats/interval.h"

#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>

#include "base/check.h"

namespace powercut::lab {

Interval proportion_interval(std::uint64_t hits, std::uint64_t trials, double confidence) {
  CHECK(hits <= trials, "more hits than trials");
  if (trials == 0) return {0, 1};
  const double tail = (1 - confidence) / 2;
  const auto k = static_cast<double>(hits);
  const auto n = static_cast<double>(trials);
  Interval interval;
  if (hits > 0) interval.low = boost::math::ibeta_inv(k, n - k + 1, tail);
  if (hits < trials) interval.high = boost::math::ibeta_inv(k + 1, n - k, 1 - tail);
  return interval;
}

double clean_bound(std::uint64_t trials, double confidence) {
  if (trials == 0) return 1;
  return 1 - std::pow(1 - confidence, 1 / static_cast<double>(trials));
}

std::uint64_t clean_runs_needed(double rate, double confidence) {
  CHECK(rate > 0 && rate < 1, "a rate between 0 and 1");
  return static_cast<std::uint64_t>(std::ceil(std::log1p(-confidence) / std::log1p(-rate)));
}

Interval poisson_interval(std::uint64_t count, double confidence) {
  using boost::math::chi_squared_distribution;
  const double tail = (1 - confidence) / 2;
  const auto k = static_cast<double>(count);
  Interval interval;
  interval.high = boost::math::quantile(chi_squared_distribution<>(2 * k + 2), 1 - tail) / 2;
  if (count > 0) interval.low = boost::math::quantile(chi_squared_distribution<>(2 * k), tail) / 2;
  return interval;
}

}  // namespace powercut::lab
