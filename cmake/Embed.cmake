# cmake -DOUT=FILE.c -DHEADER=INCLUDE -DNAMES=a;b -DFILES=x;y -P Embed.cmake
# Writes C that defines each file as an array of octets NAME and its length NAME_bytes.
set(text "/* Made by cmake/Embed.cmake. */\n#include \"${HEADER}\"\n")
foreach(name file IN ZIP_LISTS NAMES FILES)
  file(READ "${file}" octets HEX)
  string(REGEX REPLACE "(..)" "0x\\1," octets "${octets}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" octets "${octets}")
  string(APPEND text
    "\nconst unsigned char ${name}[] = {\n${octets}\n};\nconst size_t ${name}_bytes = sizeof(${name});\n")
endforeach()
file(WRITE "${OUT}" "${text}")
