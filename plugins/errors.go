package plugins

import (
	"fmt"
	"strings"

	"millrace/connectors"
)

// A Problem is the reason why a lookup failed.
type Problem int

// The problems.
const (
	// UnknownClass: no plugin has the name. For other kinds than connectors, callers put the message behind "Invalid value X
	// for configuration K: " (connectors.InvalidValue), as Kafka does.
	UnknownClass Problem = iota + 1
	// AmbiguousClass: a short name means several plugins.
	AmbiguousClass
	// WrongKind: there is such a class, but it is no plugin of the kind.
	WrongKind
	// AbstractClass: the class has inner classes that are plugins, or is an interface of Connect.
	AbstractClass
	// UnknownVersion: no version of the plugin is in the range. Error.Available has those that exist.
	UnknownVersion
	// BadRange: the version is neither a version nor a range.
	BadRange
)

// An Error says why a lookup failed, in the words of Kafka Connect.
type Error struct {
	Problem Problem
	// Class is the canonical class if the name could be resolved, else the name.
	Class     string
	Message   string
	Available []string
}

func (e *Error) Error() string { return e.Message }

func unknownClass(name string) *Error {
	return &Error{Problem: UnknownClass, Class: name, Message: fmt.Sprintf("Class %s could not be found.", name)}
}

func unknownConnector(name string, known []*connectors.Plugin) *Error {
	classes := make([]string, len(known))
	for i, p := range known {
		classes[i] = p.Class
	}
	return &Error{Problem: UnknownClass, Class: name, Message: fmt.Sprintf(
		"Failed to find any class that implements Connector and which name matches %s, available connectors are: %s",
		name, strings.Join(classes, ", "))}
}

func ambiguous(name string, classes []string) *Error {
	return &Error{Problem: AmbiguousClass, Class: name, Message: fmt.Sprintf(
		"More than one connector matches alias %s. Please use full package and class name instead. Classes found: %s",
		name, strings.Join(classes, ", "))}
}

func wrongKind(class string, kind connectors.Kind) *Error {
	return &Error{Problem: WrongKind, Class: class, Message: fmt.Sprintf(
		"Class class %s does not implement the %s interface", class, interfaceName(kind))}
}

func abstractClass(class string, inner []string) *Error {
	msg := "This class is abstract and cannot be created."
	if len(inner) > 0 {
		msg += " Did you mean " + strings.Join(inner, ", ") + "?"
	}
	return &Error{Problem: AbstractClass, Class: class, Message: msg}
}

// interfaceName is Connect's name of a kind.
func interfaceName(kind connectors.Kind) string {
	switch kind {
	case connectors.KindConverter:
		return "Converter"
	case connectors.KindHeaderConverter:
		return "HeaderConverter"
	case connectors.KindTransform:
		return "Transformation"
	case connectors.KindPredicate:
		return "Predicate"
	}
	return "Connector"
}
