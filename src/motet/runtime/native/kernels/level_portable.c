/* Plain C, for any processor: the reference that every other level equals bit by bit. */
#include "level.h"
#include "lanes_portable.h"

#define LEVEL motet_level_portable
#define LEVEL_NAME "portable"
#include "bodies.h"
