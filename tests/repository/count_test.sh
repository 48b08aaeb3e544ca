#!/usr/bin/env bash
# scripts/count.sh over what ctest writes: what has failed is never called passed or skipped.
set -u
. scripts/count.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
wrong=0

# expect NAME EXPECTED: the counts of the file that standard input gives.
expect() {
  local actual
  cat >"$scratch/junit.xml"
  actual=$(count_junit "$scratch/junit.xml")
  if [ "$actual" = "$2" ]; then return 0; fi
  printf '%s\n expected: %s\n actual:   %s\n' "$1" "$2" "$actual"
  wrong=1
}

expect "one of each" "1 2 2
skipped: A.Skips: no qemu <here> & so
failed: A.Fails
skipped: tool: no such tool
failed: NotBuilt" <<'XML'
<testsuite name="x" tests="5" failures="1" disabled="0" skipped="3">
	<testcase name="A.Passes" classname="A.Passes" time="0.1" status="run">
		<system-out>Running main() from gtest_main.cc
/a.cc:3: Skipped
but a test that says so and passes has passed
</system-out>
	</testcase>
	<testcase name="A.Skips" classname="A.Skips" time="0.1" status="notrun">
		<skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
		<system-out>Running main() from gtest_main.cc
[ RUN      ] A.Skips
/a.cc:3: Skipped
no qemu &lt;here&gt; &amp; so
[  SKIPPED ] A.Skips (0 ms)
</system-out>
	</testcase>
	<testcase name="A.Fails" classname="A.Fails" time="0.1" status="fail">
		<failure message=""/>
		<system-out>[  FAILED  ] A.Fails (0 ms)
</system-out>
	</testcase>
	<testcase name="tool" classname="tool" time="0.1" status="notrun">
		<skipped message="SKIP_RETURN_CODE=77"/>
		<system-out>no such tool
</system-out>
	</testcase>
	<testcase name="NotBuilt" classname="NotBuilt" time="0" status="notrun">
		<skipped message="Unable to find executable"/>
		<system-out>Unable to find executable: /a</system-out>
	</testcase>
</testsuite>
XML
expect "an unknown status is a failure" "0 1 0
failed: A" <<'XML'
	<testcase name="A" classname="A" time="0" status="surprise">
	</testcase>
XML
expect "no test is a failure" "0 1 0
failed: no test ran" </dev/null
actual=$(count_junit "$scratch/absent.xml")
case $actual in "0 1 0"*) ;; *) echo "an absent file: $actual"; wrong=1 ;; esac
exit "$wrong"
