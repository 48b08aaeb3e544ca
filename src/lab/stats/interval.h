// How sure a count is.
//
// The unit of a rate is the run (one boot), not the commit: commits of one run stand under the same
// timing and cluster.  A rate per commit is given for orientation only.
#pragma once

#include <cstdint>

namespace powercut::lab {

struct Interval {
  double low = 0, high = 1;
};

// The exact (Clopper-Pearson) two-sided interval of a proportion: `hits` of `trials`, hits <=
// trials. With 0 trials: [0, 1].
Interval proportion_interval(std::uint64_t hits, std::uint64_t trials, double confidence = 0.95);

// The largest proportion that `trials` runs without a hit leave standing, one-sided: 1 for 0
// trials.
double clean_bound(std::uint64_t trials, double confidence = 0.95);

// How many runs without a hit are needed before a proportion of `rate` (0 < rate < 1) is excluded.
std::uint64_t clean_runs_needed(double rate, double confidence = 0.95);

// The exact two-sided interval of a Poisson mean of which `count` was seen.
Interval poisson_interval(std::uint64_t count, double confidence = 0.95);

}  // namespace powercut::lab
