#!/bin/sh
# The check for `powercut explore --check` that belongs to sqlite-load.sh: the database opens (which
# recovers it), is whole, and has each row that was promised, with its content.
#
# In the recovered tree; $POWERCUT_MARKS_SEEN has the marks that came before the power cut.
set -eu
promised=$(sed -n 's/^rows //p' "$POWERCUT_MARKS_SEEN" | tail -n 1)
[ -n "$promised" ] || exit 0 # the table was not there for sure
if [ ! -e entries.db ]; then
  echo "there is no database; $promised rows were committed"
  exit 1
fi
found=$(sqlite3 entries.db "
  PRAGMA integrity_check;
  SELECT count(*) FROM entry
    WHERE id <= $promised AND text = printf('%.*c', 20 + id * 379 % 3000, 'x');" 2>&1) || true
[ "$found" = "ok
$promised" ] && exit 0
echo "$promised rows were committed; SQLite says:" $found
exit 1
