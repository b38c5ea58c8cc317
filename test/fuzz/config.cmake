# INI and YAML. By hand, after a build with the preset fuzz:
#   fuzz_ini -dict=test/fuzz/ini.dict NEW_FOLDER test/fuzz/corpus/ini
#   fuzz_ini -merge=1 test/fuzz/corpus/ini NEW_FOLDER     keeps what reaches new code
foreach(format ini yaml)
    add_executable(fuzz_${format} fuzz_${format}.c fuzz_config.c)
    if(NOT BATON_FUZZ)
        target_sources(fuzz_${format} PRIVATE replay.c)
    endif()
    target_link_libraries(fuzz_${format} PRIVATE config_world)
    set_target_properties(fuzz_${format} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
    baton_target(fuzz_${format})
    set(runs "")
    if(BATON_FUZZ)
        target_link_options(fuzz_${format} PRIVATE -fsanitize=fuzzer)
        set(runs -runs=0)
    endif()
    baton_script_test(fuzz_${format}
        COMMAND fuzz_${format} ${runs} "${CMAKE_CURRENT_SOURCE_DIR}/corpus/${format}")
endforeach()
