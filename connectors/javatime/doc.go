// Package javatime formats and parses dates by Java's SimpleDateFormat patterns, in which configurations of Kafka Connect are
// written: "yyyy-MM-dd'T'HH:mm:ss.SSS". The locale is en_US and the zone UTC, as on the worker that the patterns were meant for.
//
// It follows Java where that surprises: parsing is lenient (month 13 is January of the next year), stops where the pattern
// ends and leaves the rest of the text alone, and days before 15 October 1582 are Julian.
//
// Limits: zone names other than those of the table in zone.go do not parse, and a date given only by week number and no
// week year (pattern "w") is taken as 1 January.
package javatime
