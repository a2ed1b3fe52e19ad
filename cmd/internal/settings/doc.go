// Package settings puts the configuration of a process together from its layers: defaults, a .properties file, the
// environment (CONNECT_GROUP_ID is group.id) and --set key=value, the later ones winning; and reads the files that
// describe connectors. It remembers where each value came from, so that every mistake is shown with its place.
//
// Start with Settings; ReadConnector reads one connector file. What the keys mean is known to those who parse them.
package settings
