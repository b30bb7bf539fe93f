// Publishes a billing row and waits until peerwright has proven it on the host. Usage: publish ROW.json
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func finishIf(condition bool, code int, words ...any) {
	if condition {
		fmt.Fprintln([]*os.File{os.Stdout, os.Stdout, os.Stderr, os.Stderr}[code], words...)
		os.Exit(code)
	}
}

func attr(name string, value any) kgo.RecordHeader {
	return kgo.RecordHeader{Key: name, Value: []byte(fmt.Sprint(value))}
}

func main() {
	const source = "billing" // a name under `sources` in peerwright's configuration
	row, accepted := map[string]any{}, false
	file, _ := os.Open(os.Args[1])
	rows := json.NewDecoder(file)
	rows.UseNumber()
	finishIf(rows.Decode(&row) != nil, 3, "no row in", os.Args[1])
	id, key := fmt.Sprint("row-", row["id"], "-", row["version"]), fmt.Sprint(row["tenant"], "/", row["subscriber"])
	data, _ := json.Marshal(map[string]any{"tenant": row["tenant"], "peer": row["peer"],
		"subscriber": row["subscriber"], "server": row["server"], "public_key": row["public_key"]})
	event := &kgo.Record{Key: []byte(key), Value: data, Headers: []kgo.RecordHeader{attr("ce_specversion", "1.0"),
		attr("ce_id", id), attr("ce_source", source), attr("ce_sequence", row["version"]), // one id for all attempts
		attr("ce_type", "peerwright.peer.provision.v1"), attr("content-type", "application/json")}}
	wait, _ := time.ParseDuration(os.Getenv("WAIT_SECONDS") + "s")
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(os.Getenv("BROKERS"), ",")...), // idempotent by default
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // nil: murmur2
		kgo.DefaultProduceTopic(os.Getenv("EVENT_TOPIC")), kgo.ConsumeTopics(os.Getenv("STATUS_TOPIC")))
	finishIf(err != nil, 3, err)
	err = client.ProduceSync(ctx, event).FirstErr() // flushes and waits for the acknowledgement
	finishIf(err != nil, 3, id+": no acknowledgement, run it again:", err)
	for {
		client.PollFetches(ctx).EachRecord(func(message *kgo.Record) { // from the topic's start
			var said map[string]any // a rejection has source and id, a peer's status has delivery
			_ = json.Unmarshal(message.Value, &said)
			finishIf(said["source"] == source && said["id"] == id, 1, string(message.Value))
			if said["tenant"] == row["tenant"] && said["peer"] == row["peer"] {
				accepted = accepted || said["cause"] == source+"/"+id // a later one's proof is ours too
				finishIf(accepted && said["delivery"] == "applied", 0, string(message.Value))
			}
		})
		finishIf(ctx.Err() != nil, 2, id+": no status in time; it is sent and will be executed")
	}
}
