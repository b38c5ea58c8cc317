# The platform for Linux: sets what CMakeLists.txt makes the library from.
file(GLOB BATON_PLATFORM_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/posix/*.c")
set(BATON_PLATFORM_LIBRARIES "")
