/* SPDX-License-Identifier: Apache-2.0 */
/* The files of this folder, as cmake/Embed.cmake puts them into the program. */
#ifndef QKD_KME_PAGE_PAGE_FILES_H
#define QKD_KME_PAGE_PAGE_FILES_H

#include <stddef.h>

extern const unsigned char page_html[], page_css[], page_js[];
extern const size_t page_html_bytes, page_css_bytes, page_js_bytes;

#endif
