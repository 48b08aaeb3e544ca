# Counts what ctest wrote with --output-junit.  To be sourced.
#
# ctest's own totals are not used: they call a test skipped whose program is missing.  Here a test
# has passed if ctest ran it to a good end, is skipped only if it said so itself (or is switched
# off), and has failed in every other case.

# count_junit FILE: one line "PASSED FAILED SKIPPED", then one line "failed: NAME" or
# "skipped: NAME: REASON" for each such test.  No file, or no test in it, is one failure.
count_junit() {
  [ -r "$1" ] || { printf '0 1 0\nfailed: %s was not written\n' "$1"; return 0; }
  awk '
    function attribute(name,   text) {
      text = $0
      if (!sub(".* " name "=\"", "", text)) return ""
      sub("\".*", "", text)
      return text
    }
    function plain(text) {
      gsub("&lt;", "<", text); gsub("&gt;", ">", text); gsub("&quot;", "\"", text)
      gsub("&apos;", "\047", text); gsub("&amp;", "\\&", text)
      return text
    }
    function end_of_test() {
      if (status == "run") passed++
      else if (status == "disabled" || (status == "notrun" && said_skip)) {
        skipped++
        lines = lines "skipped: " test ": " plain(reason == "" ? "no reason given" : reason) "\n"
      } else { failed++; lines = lines "failed: " plain(test) "\n" }
    }
    /<testcase / {
      test = attribute("name"); status = attribute("status")
      said_skip = 0; reason = ""; wants_reason = 0
    }
    /<skipped message="SKIP_/ { said_skip = 1 }
    /<system-out>/ {
      text = $0
      sub(".*<system-out>", "", text); sub("</system-out>.*", "", text)
      if (text !~ /^Running main\(\)/) reason = text
    }
    wants_reason { reason = $0; wants_reason = 0 }
    /: Skipped$/ { wants_reason = 1 }
    /<\/testcase>/ { end_of_test() }
    END {
      if (passed + failed + skipped == 0) { failed = 1; lines = "failed: no test ran\n" }
      printf "%d %d %d\n%s", passed, failed, skipped, lines
    }
  ' "$1"
}
