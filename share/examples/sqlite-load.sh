#!/bin/sh
# A load for `powercut run`: rows are inserted into a database of SQLite, each in a transaction of
# its own, and after each commit a mark says which rows must survive a power cut from here on.
#
#   sqlite-load.sh JOURNAL SYNCHRONOUS [ROWS]    wal|delete|truncate|persist  off|normal|full|extra
#
# In the current folder; $POWERCUT (usual: powercut) is the program that puts the marks.
set -eu
journal=$1 synchronous=$2 rows=${3:-40}
powercut=${POWERCUT:-powercut}
{
  echo ".bail on"
  echo "PRAGMA journal_mode=$journal;"
  echo "PRAGMA synchronous=$synchronous;"
  echo "CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT NOT NULL);"
  echo ".system '$powercut' mark rows 0"
  row=1
  while [ "$row" -le "$rows" ]; do
    # Of several lengths, so that pages split.
    echo "INSERT INTO entry VALUES ($row, printf('%.*c', 20 + $row * 379 % 3000, 'x'));"
    echo ".system '$powercut' mark rows $row"
    row=$((row + 1))
  done
} | sqlite3 entries.db > /dev/null
