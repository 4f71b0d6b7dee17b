// What the library exports; Swift reads it through the module CRocksDB, which links nothing.
#include "../../CRocksDB/rocks.h"
