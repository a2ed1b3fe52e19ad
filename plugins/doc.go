// Package plugins finds the plugin that a class name and a version in a configuration mean.
//
// A Registry holds the descriptors (connectors.Plugin) that a program was built with or discovered; nothing is global, and
// a test makes the Registry it needs. Names resolve in this order: the canonical class; its simple name, with or without
// the suffix of its kind; the class names of peers that a descriptor lists; and for any other dotted name its last component,
// so that a configuration written for another vendor's class of the same name works here.
//
// Files: registry.go (what there is), resolve.go (names), version.go (Maven's version order), versionrange.go (KIP-891
// ranges), errors.go.
package plugins
