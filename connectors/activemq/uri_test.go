package activemq_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors/activemq"
)

func TestURIs(t *testing.T) {
	defaults := activemq.URIs{Randomize: true, Initial: 10 * time.Millisecond, Max: 30 * time.Second, Exponent: 2, MaxAttempts: -1, StartupAttempts: -1}
	for text, change := range map[string]func(*activemq.URIs){
		"tcp://a:1": func(u *activemq.URIs) { u.Endpoints = []string{"tcp://a:1"} },
		"failover:(tcp://127.0.0.1:61613)?randomize=false": func(u *activemq.URIs) {
			u.Endpoints, u.Randomize = []string{"tcp://127.0.0.1:61613"}, false
		},
		"failover:(tcp://a:1,ssl://b:2)":                  func(u *activemq.URIs) { u.Endpoints = []string{"tcp://a:1", "ssl://b:2 (TLS)"} },
		" FAILOVER:// ( TCP://a:1 , nio+ssl://[::1]:2 ) ": func(u *activemq.URIs) { u.Endpoints = []string{"tcp://a:1", "nio+ssl://[::1]:2 (TLS)"} },
		"failover:tcp://a:1,tcp://b:2": func(u *activemq.URIs) {
			u.Endpoints = []string{"tcp://a:1", "tcp://b:2"}
		},
		"failover:tcp://a:1?randomize=false&tcpNoDelay=true": func(u *activemq.URIs) {
			u.Endpoints, u.Randomize = []string{"tcp://a:1?tcpNoDelay=true"}, false
		},
		"tcp://a, tcp://b:2": func(u *activemq.URIs) { u.Endpoints = []string{"tcp://a:61613", "tcp://b:2"} },
		"failover:(tcp://a:1?wireFormat.maxInactivityDuration=0,tcp://b:2)?nested.tcpNoDelay=true&initialReconnectDelay=5&maxReconnectDelay=50": func(u *activemq.URIs) {
			u.Endpoints = []string{"tcp://a:1?tcpNoDelay=true&wireFormat.maxInactivityDuration=0", "tcp://b:2?tcpNoDelay=true"}
			u.Initial, u.Max = 5*time.Millisecond, 50*time.Millisecond
		},
		"failover:(static:(tcp://a:1),failover:(tcp://b:2,tcp://c:3)?maxReconnectAttempts=7)?startupMaxReconnectAttempts=3": func(u *activemq.URIs) {
			u.Endpoints = []string{"tcp://a:1", "tcp://b:2", "tcp://c:3"}
			u.MaxAttempts, u.StartupAttempts = 7, 3
		},
		"failover:(tcp://a:1,tcp://b:2)?priorityBackup=true&priorityURIs=tcp://b:2&backup=true&trackMessages=true&nonsense=1": func(u *activemq.URIs) {
			u.Endpoints = []string{"tcp://a:1", "tcp://b:2"}
			u.PriorityBackup, u.Priority, u.Ignored = true, []string{"b:2"}, []string{"backup", "nonsense", "trackMessages"}
		},
		"failover:(tcp://a:1)?useExponentialBackOff=false&backOffMultiplier=3": func(u *activemq.URIs) { u.Endpoints, u.Exponent = []string{"tcp://a:1"}, 1 },
		"failover:(tcp://a:1)?initialReconnectDelay=60000": func(u *activemq.URIs) {
			u.Endpoints, u.Initial, u.Max = []string{"tcp://a:1"}, time.Minute, time.Minute
		},
	} {
		t.Run(text, func(t *testing.T) {
			want := defaults
			change(&want)
			got, err := activemq.ParseURIs(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrongURIs(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "no broker URI",
		"failover:()":                          "no broker URI",
		"localhost":                            `"localhost" has no scheme; write tcp://localhost`,
		"vm://broker":                          `scheme "vm" is not supported; accepted are tcp`,
		"discovery:(multicast://default)":      `scheme "discovery" is not supported`,
		"failover:(tcp://a:1":                  "a parenthesis is not closed",
		"failover:tcp://a:1)":                  "has no opening one",
		"failover:(tcp://a:1)x":                "options start with ?",
		"tcp://:1":                             "needs a host",
		"tcp://a:0":                            "between 1 and 65535",
		"tcp://a:99999":                        "between 1 and 65535",
		"failover:(tcp://a:1)?randomize=maybe": "option randomize=maybe: must be true or false",
		"failover:(tcp://a:1)?initialReconnectDelay=-5":                          "number of milliseconds",
		"failover:(tcp://a:1)?maxReconnectAttempts=x":                            "-1 for no limit",
		"failover:(tcp://a:1)?backOffMultiplier=NaN":                             "from 1 to 100",
		strings.Repeat("failover:(", 12) + "tcp://a:1" + strings.Repeat(")", 12): "nested more than",
		"tcp://user:secret@a:b":                                                  "invalid port",
	} {
		_, err := activemq.ParseURIs(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}

func FuzzURIs(f *testing.F) {
	f.Add("failover:(tcp://a:1?x=y,ssl://[::1]:2)?randomize=false&nested.x=y")
	f.Add("failover:(static:(tcp://a),tcp://u:p@b)?priorityURIs=tcp://c")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := activemq.ParseURIs(text)
		if err == nil && (len(u.Endpoints) == 0 || u.Max < u.Initial || u.Initial < 0 || u.Exponent < 1) {
			t.Errorf("%q gives %+v", text, u)
		}
	})
}

func TestDestinations(t *testing.T) {
	for text, want := range map[string]string{
		"A": "/queue/A", "queue://A": "/queue/A", "topic://A.>": "/topic/A.>", "/topic/A": "/topic/A", "/queue/A": "/queue/A",
		"A, topic://B ,C": "/queue/A,/topic/B,/queue/C", "A?consumer.prefetchSize=5": "/queue/A", "temp-queue://x": "/temp-queue/x",
	} {
		if got, err := activemq.ParseDestination(text, "queue", false); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "not the name of a destination", "topic://": "not the name", "A,,B": "not the name", "A\nB": "not the name",
		"queue://A": "activemq.destination.type says topic", "A?consumer.prefetchSize=0": "between 1 and 32766",
	} {
		if _, err := activemq.ParseDestination(text, "topic", true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}
