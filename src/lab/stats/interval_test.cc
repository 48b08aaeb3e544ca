#include "lab/stats/interval.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

TEST(ProportionInterval, Table) {
  struct Row {
    std::uint64_t hits, trials;
    double low, high;
  };
  // The 1187 runs of the report of 2020, and values of published Clopper-Pearson tables.
  const Row rows[] = {{56, 1187, 0.0358, 0.0608},
                      {0, 10, 0, 0.3085},
                      {10, 10, 0.6915, 1},
                      {1, 20, 0.0013, 0.2487},
                      {3, 10, 0.0667, 0.6525}};
  for (const Row& row : rows) {
    const Interval interval = proportion_interval(row.hits, row.trials);
    EXPECT_NEAR(interval.low, row.low, 5e-5) << row.hits << "/" << row.trials;
    EXPECT_NEAR(interval.high, row.high, 5e-5) << row.hits << "/" << row.trials;
  }
  EXPECT_EQ(proportion_interval(0, 0).high, 1);
}

TEST(CleanBound, Table) {
  EXPECT_NEAR(clean_bound(1187), 0.00252, 5e-6);
  EXPECT_NEAR(clean_bound(1), 0.95, 1e-9);
  EXPECT_EQ(clean_bound(0), 1);
  EXPECT_EQ(clean_runs_needed(0.01), 299u);
  EXPECT_EQ(clean_runs_needed(0.002), 1497u);
  EXPECT_EQ(clean_runs_needed(0.05), 59u);
}

TEST(PoissonInterval, Table) {
  EXPECT_NEAR(poisson_interval(0).high, 3.6889, 5e-5);
  EXPECT_EQ(poisson_interval(0).low, 0);
  EXPECT_NEAR(poisson_interval(7).low, 2.8144, 5e-5);
  EXPECT_NEAR(poisson_interval(7).high, 14.4227, 5e-5);
}

}  // namespace
}  // namespace powercut::lab
