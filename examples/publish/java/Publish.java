// Publishes a billing row and waits until peerwright has proven it on the host. Usage: Publish.java ROW.json
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

class Publish {
  static final String SOURCE = "billing"; // a name under `sources` in peerwright's configuration
  static final Map<String, String> ENV = System.getenv();
  static final long WAIT_MS = Long.parseLong(ENV.get("WAIT_SECONDS")) * 1000;
  static final long END = System.currentTimeMillis() + WAIT_MS;

  static void finish(int code, String words) {
    (code < 2 ? System.out : System.err).println(words);
    Runtime.getRuntime().halt(code); // at once: the client would still try to reach its broker
  }

  static boolean is(JsonNode said, String name, String value) { return said.path(name).asText().equals(value); }
  public static void main(String[] arguments) throws Exception {
    var json = new ObjectMapper();
    JsonNode row = json.readTree(new File(arguments[0]));
    String tenant = row.path("tenant").asText(), peer = row.path("peer").asText();
    String id = "row-" + row.path("id").asText() + '-' + row.path("version").asText(); // the same at each attempt
    ObjectNode data = ((ObjectNode) row.deepCopy()).retain("tenant", "peer", "subscriber", "server", "public_key");
    String key = tenant + '/' + row.path("subscriber").asText();
    var event = new ProducerRecord<>(ENV.get("EVENT_TOPIC"), key, data.toString());
    Map.of("ce_specversion", "1.0", "ce_id", id, "ce_source", SOURCE, "ce_sequence", row.path("version").asText(),
        "ce_type", "peerwright.peer.provision.v1", "content-type", "application/json")
        .forEach((name, value) -> event.headers().add(name, value.getBytes()));
    var producer = new KafkaProducer<>(Map.of("bootstrap.servers", ENV.get("BROKERS"), "enable.idempotence", true,
        "acks", "all", "max.block.ms", WAIT_MS), new StringSerializer(), new StringSerializer()); // keys: murmur2
    try {
      producer.send(event).get(WAIT_MS, TimeUnit.MILLISECONDS); // one that sends many calls flush() before it looks
    } catch (Exception error) {
      finish(3, id + ": no acknowledgement, run it again: " + error.getMessage());
    }
    var consumer = new KafkaConsumer<>(Map.of("bootstrap.servers", ENV.get("BROKERS")), new StringDeserializer(),
        new StringDeserializer());
    consumer.assign(consumer.partitionsFor(ENV.get("STATUS_TOPIC")).stream()
        .map(info -> new TopicPartition(info.topic(), info.partition())).toList());
    consumer.seekToBeginning(consumer.assignment());
    for (boolean accepted = false; System.currentTimeMillis() < END;) {
      for (var message : consumer.poll(Duration.ofMillis(200))) {
        JsonNode said = json.readTree(message.value()); // a rejection has source and id, a peer's status has delivery
        if (is(said, "source", SOURCE) && is(said, "id", id)) finish(1, message.value());
        if (!is(said, "tenant", tenant) || !is(said, "peer", peer)) continue;
        accepted |= is(said, "cause", SOURCE + '/' + id); // a later one's proof is ours too
        if (accepted && is(said, "delivery", "applied")) finish(0, message.value());
      }
    }
    finish(2, id + ": no status in time; it is sent and will be executed");
  }
}
