// Package secrets keeps secret values out of what users and logs see.
//
// Keys says which keys of a connector's configuration hold secrets: those of type PASSWORD in the definition of the connector, a converter,
// a transform or a predicate, and those whose name looks like one (LooksSecret) unless their definition makes them no text. Mask and
// Restore are the way out and back: [hidden] stands for a whole value and means "unchanged" when it comes back. Values with a
// reference to a config provider are never masked. A Scrubber removes known values from free text: errors, traces, log lines (Handler).
//
// Limits: a secret inside a value of another kind, such as a URL with a password, is not known as one. A Scrubber knows values as they are
// written; encoded ones (base64, escaped quotes) pass. Values shorter than four characters are only removed where an error quotes them.
package secrets
