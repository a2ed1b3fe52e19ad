// Package connectjson writes and reads the JSON that Kafka Connect keeps in its internal topics: no white space, UTF-8 as it
// is, numbers as Java prints them. The bytes matter: keys of a compacted topic are compared byte by byte.
//
// Members of a map are written in the order of their names, members of an Object in their own order.
package connectjson
