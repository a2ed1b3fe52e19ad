package runtime_test

import (
	"testing"

	"millrace/broker/brokertest"
	"millrace/runtime/kafkatest"
)

// behaviours are the same on the integrated log and on Apache Kafka.
var behaviours = []struct {
	name string
	run  func(t *testing.T, w *worker)
}{
	{"sink takes all and goes on after a restart", sinkTakesAllAndGoesOnAfterARestart},
	{"sink puts again after a retriable error", sinkPutsAgainAfterARetriableError},
	{"sink fails for good", sinkFailsForGood},
	{"sink dead letters", sinkDeadLetters},
	{"sink tolerance none fails and restarts where it failed", sinkToleranceNoneFailsAndRestartsWhereItFailed},
	{"sink pause keeps what comes", sinkPauseKeepsWhatComes},
	{"sink tasks share partitions", sinkTasksSharePartitions},
	{"sink topics regex", sinkTopicsRegex},
	{"source reaches the topic and goes on after a restart", sourceReachesTheTopicAndGoesOnAfterARestart},
	{"source failures", sourceFailures},
	{"source dead letters", sourceDeadLetters},
	{"source connector that does not start", sourceConnectorThatDoesNotStart},
	{"ensure connector leaves an equal one alone", ensureConnectorLeavesAnEqualOneAlone},
	{"change touches only its own tasks", changeTouchesOnlyItsOwnTasks},
}

func TestIntegratedLog(t *testing.T) {
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) { b.run(t, startWorker(t)) })
	}
}

func TestApacheKafka(t *testing.T) {
	k := kafkatest.Start(t)
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) {
			b.run(t, startWorkerOn(t, k))
		})
		k.Reset()
	}
}

var (
	_ testLog = (*brokertest.Cluster)(nil)
	_ testLog = (*kafkatest.Kafka)(nil)
)
