# The wire codec, the SDK, and the handlers.
set(BATON_GUARD test_wire_guard_posix.c)
if(WIN32)
    set(BATON_GUARD test_wire_guard_win32.c)
endif()
baton_unit_test(wire SOURCES test_wire.c test_wire_vectors.c ${BATON_GUARD} LIBRARIES baton_wire)
baton_script_test(wire_page LABELS unit
    COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/test_wire_page.py")
if(WIN32)
    baton_unit_test(sdk SOURCES test_sdk_win32.c test_sdk_supervisor_win32.c LIBRARIES baton)
    baton_unit_test(sdk_conformance
        SOURCES test_sdk_conformance_win32.c test_sdk_supervisor_win32.c LIBRARIES baton)
    add_dependencies(test_sdk_conformance conformance)
    baton_unit_test(handlers TIMEOUT 120
        SOURCES test_handlers_win32.c test_sdk_supervisor_win32.c LIBRARIES baton)
    add_dependencies(test_handlers echo time forward)
else()
    baton_unit_test(sdk SOURCES test_sdk.c test_sdk_supervisor.c LIBRARIES baton)
    find_package(Threads REQUIRED)
    baton_unit_test(sdk_sources SOURCES test_sdk_sources.c test_sdk_supervisor.c
        LIBRARIES baton Threads::Threads)
    baton_unit_test(sdk_fallback SOURCES test_sdk_fallback.c LIBRARIES baton)
    baton_script_test(sdk_python LABELS unit
        COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/test_sdk_python.py")
    baton_script_test(handlers LABELS unit TIMEOUT 120
        COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/test_handlers.py")
    baton_script_test(sdk_conformance LABELS unit
        COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/test_sdk_conformance.py")
endif()
baton_unit_test(time SOURCES test_time.c "${CMAKE_SOURCE_DIR}/handlers/time/seconds.c")
target_include_directories(test_time PRIVATE "${CMAKE_SOURCE_DIR}/handlers/time")
