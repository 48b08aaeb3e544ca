# The library for other programs: libpowercut.so, include/powercut, a CMake package and a pkg-config
# file.  `cmake --install build/release --prefix DIR` puts them there.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# What powercut/volume.h includes.  In this tree it is "base/..." with the macros CHECK and TRY;
# installed, "powercut/base/..." with POWERCUT_CHECK and POWERCUT_TRY: other people have names of
# their own.
set(PUBLIC_HEADERS
  include/powercut/volume.h src/base/bytes.h src/base/check.h src/base/clock.h
  src/base/file_kind.h src/base/result.h src/base/units.h src/block/block_device.h)
foreach(HEADER ${PUBLIC_HEADERS})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${HEADER})
  string(REGEX REPLACE "^(include/powercut|src)/" "" PLACE ${HEADER})
  file(READ ${CMAKE_SOURCE_DIR}/${HEADER} TEXT)
  string(REGEX REPLACE "#include \"(base|block)/" "#include \"powercut/\\1/" TEXT "${TEXT}")
  string(REGEX REPLACE "(^|[^A-Z_])(CHECK|TRY)\\(" "\\1POWERCUT_\\2(" TEXT "${TEXT}")
  file(WRITE ${CMAKE_BINARY_DIR}/public/powercut/${PLACE} "${TEXT}")
endforeach()

add_library(powercut_shared SHARED)
foreach(LAYER base format block host recovery buffer journal fs)
  target_sources(powercut_shared PRIVATE $<TARGET_OBJECTS:powercut_${LAYER}>)
endforeach()
set_target_properties(powercut_shared PROPERTIES OUTPUT_NAME powercut EXPORT_NAME powercut
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINKER_LANGUAGE CXX)
target_compile_features(powercut_shared INTERFACE cxx_std_20)
target_link_options(powercut_shared PRIVATE -Wl,--as-needed -Wl,--no-undefined)
target_link_libraries(powercut_shared PRIVATE ${ISAL_LIBRARY} ${BOOST_CONTEXT_LIBRARY}
  Threads::Threads fmt::fmt LibArchive::LibArchive ${FUSE3_LIBRARY})

set(PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/powercut)
install(TARGETS powercut_shared EXPORT powercutTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${CMAKE_BINARY_DIR}/public/powercut DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT powercutTargets NAMESPACE powercut:: DESTINATION ${PACKAGE_FOLDER}
  FILE powercutConfig.cmake)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/powercutConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/powercutConfigVersion.cmake DESTINATION ${PACKAGE_FOLDER})
configure_file(${CMAKE_SOURCE_DIR}/cmake/powercut.pc.in ${CMAKE_BINARY_DIR}/powercut.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/powercut.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
