package avro

import (
	"net/url"
	"strconv"
	"strings"
)

// Names that Confluent's converter gives to what Avro has no word for.
const (
	space         = "io.confluent.connect.avro"
	defaultRecord = "ConnectDefault"
	unionName     = space + ".Union"
	mapEntry      = "MapEntry"
	mapEntryName  = space + "." + mapEntry
	keyField      = "key"
	valueField    = "value"
	enumParameter = space + ".Enum"

	docProp        = "connect.doc"
	versionProp    = "connect.version"
	parametersProp = "connect.parameters"
	defaultProp    = "connect.default"
	nameProp       = "connect.name"
	typeProp       = "connect.type"
	internalProp   = "connect.internal.type"
	fixedParameter = "connect.fixed.size"
	// precisionParameter is the precision of a Decimal schema if it is not defaultPrecision.
	precisionParameter = "connect.decimal.precision"
	defaultPrecision   = 64
)

// isDefaultName reports whether a record's name was made up for a struct schema without one.
func isDefaultName(name string) bool {
	number, ok := strings.CutPrefix(name, space+"."+defaultRecord)
	if !ok {
		return false
	}
	_, err := strconv.Atoi(number)
	return number == "" || err == nil
}

// validName reports whether a name, without a namespace, is one in Avro.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// scrub makes a name valid: as a URL has it, with an underscore for what is still not allowed.
func scrub(name string) string {
	if validName(name) || name == "" {
		return name
	}
	b := []byte(url.QueryEscape(name))
	if b[0] != '_' && !validName(string(b[:1])) {
		b = append([]byte{'x'}, b...)
	}
	for i := range b {
		if !validName("x" + string(b[i:i+1])) {
			b[i] = '_'
		}
	}
	return string(b)
}

// scrubFull scrubs each part of a full name.
func scrubFull(name string) string {
	parts := strings.Split(name, ".")
	for i := range parts {
		parts[i] = scrub(parts[i])
	}
	return strings.Join(parts, ".")
}
