package broker_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/broker/brokertest"
)

func TestThreeNodes(t *testing.T) {
	c := brokertest.StartCluster(t, 3)
	client := c.Client(kgo.DefaultProduceTopic("orders"))
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(t.Context(), 6, 3, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := client.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	old := c.Controller()
	old.Kill()
	next := c.Controller()
	if next == old {
		t.Errorf("%v is still the controller", old)
	}
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, "more"); err != nil {
		t.Fatal(err)
	}
	old.Start()
	for _, n := range c.Nodes {
		brokers, err := admin.ListBrokers(t.Context())
		if err != nil || len(brokers) != 3 {
			t.Errorf("%v: brokers %v, %v", n, brokers, err)
		}
	}
}
