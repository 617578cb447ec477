// The topology of examples/branch-and-alert in Kafka Streams, as a peer: records by what they measure,
// and an alert where the processors are busy. Jackson reads the records.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.KStream;

public final class BranchAndAlert {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final double ABOVE = 0.5;

    // A record as it came, and what it says.
    private record Read(byte[] bytes, JsonNode json) {
        static Read of(byte[] bytes) {
            try {
                return new Read(bytes, JSON.readTree(bytes));
            } catch (IOException unreadable) {
                return new Read(bytes, JSON.createObjectNode());
            }
        }

        boolean isOf(String metricset) {
            return json.path("metricset").path("name").asText().equals(metricset);
        }

        boolean isBusy() {
            JsonNode total = json.path("system").path("cpu").path("total");
            return total.path("norm").path("pct").asDouble() > ABOVE;
        }

        byte[] alert() {
            ObjectNode alert = JSON.createObjectNode();
            alert.put("hostname", json.path("host").path("name").asText());
            alert.put("timestamp", json.path("@timestamp").asText());
            try {
                return JSON.writeValueAsBytes(alert);
            } catch (IOException impossible) {
                throw new IllegalStateException(impossible);
            }
        }
    }

    public static void main(String[] arguments) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[2]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[3]);
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        settings.put("auto.offset.reset", "earliest");

        StreamsBuilder builder = new StreamsBuilder();
        KStream<byte[], byte[]> all = builder.stream(arguments[1]);
        KStream<byte[], Read> read = all.mapValues(Read::of);
        KStream<byte[], Read> cpu = read.filter((key, record) -> record.isOf("cpu"));
        cpu.mapValues(Read::bytes).to(arguments[4]);
        read.filter((key, record) -> record.isOf("memory")).mapValues(Read::bytes).to(arguments[5]);
        cpu.filter((key, record) -> record.isBusy()).mapValues(Read::alert).to(arguments[6]);

        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
