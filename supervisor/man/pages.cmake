# The manual pages, into ${CMAKE_BINARY_DIR}/man, where scdoc is: the target `man`, and the cache's list BATON_MAN_PAGES of
# the files that it makes, for those who install them. Those of the config and of the protocols are made of the
# pages in Markdown that say the same (scripts/cmake/manual.py), the others are written here.
find_program(BATON_SCDOC NAMES scdoc)
find_package(Python3 QUIET COMPONENTS Interpreter)
set(BATON_MAN_PAGES "" CACHE INTERNAL "Manual pages that the target man makes")
if(WIN32 OR NOT BATON_SCDOC)
    return()
endif()

set(man_folder "${CMAKE_BINARY_DIR}/man")
set(man_sources "${CMAKE_SOURCE_DIR}/supervisor/man")
set(man_pages "")
file(MAKE_DIRECTORY "${man_folder}/made")

# One that is written as scdoc reads it.
function(baton_man_page name)
    add_custom_command(OUTPUT "${man_folder}/${name}" VERBATIM
        COMMAND sh -c "exec \"$0\" <\"$1\" >\"$2\"" "${BATON_SCDOC}" "${man_sources}/${name}.scd"
            "${man_folder}/${name}"
        DEPENDS "${man_sources}/${name}.scd")
    list(APPEND man_pages "${man_folder}/${name}")
    set(man_pages "${man_pages}" PARENT_SCOPE)
endfunction()

# One that is made of a page in Markdown.
function(baton_man_page_of name section description others source)
    set(script "${CMAKE_SOURCE_DIR}/scripts/cmake/manual.py")
    set(page "${man_folder}/${name}.${section}")
    set(made "${man_folder}/made/${name}.${section}.scd")
    if(NOT Python3_EXECUTABLE OR NOT EXISTS "${CMAKE_SOURCE_DIR}/${source}")
        return()
    endif()
    add_custom_command(OUTPUT "${page}" VERBATIM
        COMMAND "${Python3_EXECUTABLE}" "${script}" "${name}(${section})" "${description}" "${others}"
            "${CMAKE_SOURCE_DIR}/${source}" "${made}"
        COMMAND sh -c "exec \"$0\" <\"$1\" >\"$2\"" "${BATON_SCDOC}" "${made}" "${page}"
        BYPRODUCTS "${made}"
        DEPENDS "${script}" "${CMAKE_SOURCE_DIR}/${source}")
    list(APPEND man_pages "${page}")
    set(man_pages "${man_pages}" PARENT_SCOPE)
endfunction()

baton_man_page(batond.8)
baton_man_page(batonctl.8)
baton_man_page(baton-keeper.8)
baton_man_page(baton-import.8)
baton_man_page_of(ports.ini 5 "the services of batond" "batond(8), batonctl(8), baton-protocol(7)" conf/KEYS.md)
baton_man_page_of(baton-control 7 "how batond is asked, and told what to do" "batonctl(8), batond(8), ports.ini(5)"
    supervisor/CONTROL.md)
baton_man_page_of(baton-protocol 7 "how a handler is given its connections"
    "batond(8), ports.ini(5), cmsg(3), unix(7)" handlers/PROTOCOL.md)

set(BATON_MAN_PAGES "${man_pages}" CACHE INTERNAL "Manual pages that the target man makes")
add_custom_target(man ALL DEPENDS ${man_pages})
