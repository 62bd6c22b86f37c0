# Flags of every target. Optional ones are asked for by name, so that gcc and clang both build.
add_library(qkd_flags INTERFACE)
target_include_directories(qkd_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(qkd_flags INTERFACE
  _GNU_SOURCE
  QKD_VERSION="${PROJECT_VERSION}"
  # What OpenSSL 3.0 has: one module serves every 3.x.
  OPENSSL_API_COMPAT=30000
  OPENSSL_NO_DEPRECATED)
target_compile_options(qkd_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wmissing-prototypes -Wstrict-prototypes
  -Wformat=2 -Wvla
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -fvisibility=hidden -fstack-protector-strong
  # clang also looks into the macros of OpenSSL's headers.
  $<$<C_COMPILER_ID:GNU>:-Wcast-qual>
  $<$<BOOL:${QKD_WERROR}>:-Werror>
  $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
target_link_options(qkd_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)
if(QKD_SANITIZE)
  target_compile_options(qkd_flags INTERFACE
    -fsanitize=${QKD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -U_FORTIFY_SOURCE)
  target_link_options(qkd_flags INTERFACE -fsanitize=${QKD_SANITIZE})
endif()
