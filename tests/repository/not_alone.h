// Does not compile alone: what it needs is not included.
#pragma once

std::string nothing_before_it();
