package schemaregistry

import (
	"fmt"
	"strings"

	"millrace/connectors"
)

// A strategy says what the name of a schema's subject is made of.
type strategy struct {
	byRecord bool
	byTopic  bool
}

var strategies = map[string]strategy{
	"TopicNameStrategy":       {byTopic: true},
	"RecordNameStrategy":      {byRecord: true},
	"TopicRecordNameStrategy": {byTopic: true, byRecord: true},
}

func strategyNames() []string {
	return []string{"TopicNameStrategy", "RecordNameStrategy", "TopicRecordNameStrategy"}
}

// strategyOf takes the class name with or without its package.
func strategyOf(class string) (strategy, bool) {
	s, ok := strategies[class[strings.LastIndexByte(class, '.')+1:]]
	return s, ok
}

// subject returns the subject's name; record is the full name of the schema's record, "" if it has none.
func (s strategy) subject(topic, record string, isKey bool) (string, error) {
	if s.byRecord && record == "" {
		return "", &connectors.DataError{Msg: fmt.Sprintf(
			"topic %s: the subject name strategy needs a record, but the schema is none or has no name", topic)}
	}
	switch {
	case s.byRecord && s.byTopic:
		return topic + "-" + record, nil
	case s.byRecord:
		return record, nil
	case isKey:
		return topic + "-key", nil
	}
	return topic + "-value", nil
}
