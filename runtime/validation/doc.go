// Package validation answers what a configuration of a connector is worth: PUT /connector-plugins/{p}/config/validate, and the check before
// a connector is created or changed.
//
// Read Validator first (validator.go). A connector's configuration is checked in blocks that are merged in result.go: the framework's keys
// (framework.go, with the aliases of transforms and predicates in aliases.go and plugin versions in versions.go), the
// connector's own, overrides of client settings (overrides.go, clientkeys.go) and the options of converters (converters.go). source.go,
// sink.go and topiccreation.go have the rules that span several keys. Everything is a ConfigDef: the same definitions give the
// answers, the documentation and the forms of a UI.
//
// Limits: references to config providers are resolved by the caller. Regular expressions are Java's as far as plugins/javaregex
// knows them.
package validation
