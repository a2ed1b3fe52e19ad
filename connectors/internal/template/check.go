package template

import (
	"strings"

	"millrace/connectors"
)

// TopicCheck checks the template of one Kafka topic, which may use the variables named.
func TopicCheck(variables ...string) connectors.ConfigCheck {
	return connectors.CheckFunc("topic name", func(value any) string {
		text, _ := value.(string)
		t, err := Parse(text, variables...)
		switch {
		case err != nil:
			return err.Error()
		case text == "":
			return "a topic is needed"
		case strings.Contains(text, ","):
			return "exactly one topic is needed"
		case t.Constant() && LegalTopic(text) != text:
			return "a topic name has only letters, digits, '.', '_' and '-'"
		}
		return ""
	})
}
