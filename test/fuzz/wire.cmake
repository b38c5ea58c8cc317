# The codec, and the SDK's receiver with descriptors attached. By hand, after a build with the preset
# fuzz: fuzz_wire NEW_FOLDER test/fuzz/corpus/wire (and the same with fuzz_wire_receive).
set(subjects wire)
if(NOT WIN32)
    list(APPEND subjects wire_receive)
endif()
foreach(subject ${subjects})
    add_executable(fuzz_${subject} fuzz_${subject}.c)
    if(NOT BATON_FUZZ)
        target_sources(fuzz_${subject} PRIVATE replay.c)
    endif()
    target_link_libraries(fuzz_${subject} PRIVATE baton)
    set_target_properties(fuzz_${subject} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
    baton_target(fuzz_${subject})
    set(runs "")
    if(BATON_FUZZ)
        target_link_options(fuzz_${subject} PRIVATE -fsanitize=fuzzer)
        set(runs -runs=0)
    endif()
    baton_script_test(fuzz_${subject}
        COMMAND fuzz_${subject} ${runs} "${CMAKE_CURRENT_SOURCE_DIR}/corpus/${subject}")
endforeach()
