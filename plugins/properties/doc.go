// Package properties reads Java .properties files and remembers the line of every key, so that a mistake can be shown
// with its place.
//
// Start with Parse. It follows java.util.Properties: comments (# and !), =, : and blanks as separators, continued lines,
// escapes. Java reads such files as ISO-8859-1; files that people write today are UTF-8, so a file that is valid UTF-8
// is read as that and any other as ISO-8859-1.
//
// It keeps repeated keys (the last one counts in Java); it does not write files.
package properties
