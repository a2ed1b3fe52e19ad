package activemq_test

import (
	"testing"

	"millrace/connectors/activemq/activemqtest"
	"millrace/connectors/connectortest"
)

func TestSourceContract(t *testing.T) {
	b := activemqtest.Shared(t)
	connectortest.TestSource(t, connectortest.SourceCase{
		Plugin: source,
		Setup: func(t *testing.T) (map[string]string, func(...string)) {
			c := dial(t, b.Stomp)
			config := map[string]string{
				"activemq.server_uris": "failover:(tcp://" + b.Stomp + ")", "activemq.destination": queue(t), "topic": "t",
			}
			return config, func(values ...string) { c.send("/queue/"+queue(t), values) }
		},
	})
}

func TestSinkContract(t *testing.T) {
	b := activemqtest.Shared(t)
	connectortest.TestSink(t, connectortest.SinkCase{
		Plugin: sink,
		Setup: func(t *testing.T) (map[string]string, func(int) []string) {
			s := dial(t, b.Stomp).subscribe("/queue/" + queue(t))
			config := map[string]string{"activemq.server_uris": "tcp://" + b.Stomp, "activemq.destination": queue(t)}
			return config, func(n int) []string {
				var texts []string
				for _, m := range receive(t, s, n) {
					texts = append(texts, string(m.Body))
				}
				return texts
			}
		},
	})
}
