# The platform for Windows 10 and later: sets what CMakeLists.txt makes the library from.
file(GLOB BATON_PLATFORM_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/win32/*.c")
set(BATON_PLATFORM_LIBRARIES ws2_32 mswsock bcrypt)
