# What unit tests and fuzz targets share (tests/support): generators and expectations.
file(GLOB SUPPORT CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.cc)
list(FILTER SUPPORT EXCLUDE REGEX "_main\\.cc$")
add_library(powercut_testing STATIC EXCLUDE_FROM_ALL ${SUPPORT})
target_link_libraries(powercut_testing PUBLIC powercut_reader)
target_include_directories(powercut_testing PUBLIC ${CMAKE_SOURCE_DIR})

# What a test program links.  Under sanitizers a test's own code, much of it run once, costs more to
# optimise than it saves, and what UBSan says of it is worth less than its share of the build.
add_library(powercut_test_program INTERFACE)
target_link_libraries(powercut_test_program INTERFACE powercut_testing GTest::gtest_main)
if(POWERCUT_SANITIZE)
  target_compile_options(powercut_test_program INTERFACE -O0 -fno-sanitize=undefined)
endif()
