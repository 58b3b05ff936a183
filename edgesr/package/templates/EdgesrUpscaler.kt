// Written by edgesr $edgesr for model.tflite with this sha256:
// $sha256
// Move this file to your sources, app/src/main/java/org/edgesr/$identifier, and golden-* to
// app/src/debug/assets/edgesr/$folder: a release needs model.tflite alone.
//
// build.gradle.kts, the Interpreter line of LiteRT, which is what benchmark_model measures
// (LiteRT 2.x has no Interpreter delegates; its CompiledModel runs the same file, and was not measured):
//
//     dependencies {
//         implementation("com.google.ai.edge.litert:litert:1.4.2")
//         implementation("com.google.ai.edge.litert:litert-gpu:1.4.2")      // for the GPU only
//         implementation("com.google.ai.edge.litert:litert-gpu-api:1.4.2")  // for the GPU only
//     }
//     android { androidResources { noCompress += "tflite" } }

package org.edgesr.$identifier

import android.content.Context
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import java.io.Closeable
import java.io.FileInputStream
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import kotlin.math.abs
import kotlin.math.floor
import org.tensorflow.lite.Interpreter$imports

/**
 * Enlarges pictures of $width x $height pixels by $scale.
 *
 * Make, use and close an instance on one and the same thread, not the main one: an interpreter is for one
 * thread, and a GPU delegate belongs to the thread that made it.
 *
 * @param threads For the CPU.
 */
class EdgesrUpscaler(private val context: Context, private val threads: Int = THREADS) : Closeable {

    /** What the model runs on: [DELEGATE], or "xnnpack" where that could not be had. */
    var delegate: String = DELEGATE
        private set

    /** Why it is not [DELEGATE]; null where it is. Report it: speed and pixels are others then. */
    var fallback: String? = null
        private set

    private var accelerator: Closeable? = null
    private val interpreter: Interpreter = open()
    private val given = bytes(WIDTH * HEIGHT * 3 * INPUT_BYTES)
    private val made = bytes(WIDTH * HEIGHT * SCALE * SCALE * 3 * OUTPUT_BYTES)

    /**
     * Enlarges an opaque picture of WIDTH x HEIGHT whose pixels can be read (no Config.HARDWARE).
     *
     * How larger ones are cut tells contract.json.
     */
    fun upscale(picture: Bitmap): Bitmap {
        encode(picture)
        run()
        return decode()
    }

    /**
     * Runs the golden pair of the assets: null where all is well, else what is not.
     *
     * A GPU that took only a part of the model doesn't show here, nor anywhere in this interface.
     */
    fun selfTest(): String? = try {
        compare()
    } catch (error: IOException) {  // a release may do without golden-*
        "the golden pair can't be read: $$error"
    }

    private fun compare(): String? {
        val plain = BitmapFactory.Options().apply { inScaled = false; inPremultiplied = false }
        val picture = context.assets.open("$$FOLDER/golden-input.png").use {
            BitmapFactory.decodeStream(it, null, plain)
        } ?: return "golden-input.png can't be read"
        encode(picture)
        val wanted = context.assets.open("$$FOLDER/golden-input.bin").use { it.readBytes() }
        val fed = ByteArray(given.capacity()).also { given.rewind(); given.get(it) }
        if (!fed.contentEquals(wanted)) return "the input tensor is not the golden one"
        run()
        val golden = context.assets.open("$$FOLDER/golden-output.bin").use { it.readBytes() }
        if (golden.size != made.capacity()) return "golden-output.bin has another size"
        val expected = ByteBuffer.wrap(golden).order(ByteOrder.LITTLE_ENDIAN)
        val count = made.capacity() / OUTPUT_BYTES
        var worst = 0.0
        var sum = 0.0
        for (i in 0 until count) {
            val off = abs(value(made, i) - value(expected, i))
            if (off.isNaN()) return "the output holds NaN"
            if (off > worst) worst = off
            sum += off
        }
        val mean = sum / count
        val (most, mostMean) = TOLERANCE.getValue(delegate.substringBefore('-').substringBefore(':'))
        if (worst <= most && mean <= mostMean) return null
        return "the output is up to $$worst off, $$mean in the mean; " +
            "$$most and $$mostMean are allowed on $$delegate"
    }

    override fun close() {
        interpreter.close()
        accelerator?.close()
    }

    private fun open(): Interpreter {
        val model = context.assets.openFd("$$FOLDER/model.tflite").use { file ->
            FileInputStream(file.fileDescriptor).use {
                it.channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
            }
        }
        try {
            return Interpreter(model, options())
        } catch (error: RuntimeException) {
            fallBack(error.toString())
        } catch (error: LinkageError) {  // the delegate's library is not in the app
            fallBack(error.toString())
        }
        return Interpreter(model, onCpu(xnnpack = true))
    }

    private fun fallBack(why: String) {
        accelerator?.close()
        accelerator = null
        delegate = "xnnpack"
        fallback = why
    }

    private fun onCpu(xnnpack: Boolean): Interpreter.Options =
        Interpreter.Options().setNumThreads(threads).setUseXNNPACK(xnnpack)

$options

    private fun run() {
        given.rewind()
        made.rewind()
        interpreter.run(given, made)
    }

    private fun encode(picture: Bitmap) {
        require(picture.width == WIDTH && picture.height == HEIGHT) {
            "the picture is $${picture.width} x $${picture.height}, the model takes $$WIDTH x $$HEIGHT"
        }
        val pixels = IntArray(WIDTH * HEIGHT)
        picture.getPixels(pixels, 0, WIDTH, 0, 0, WIDTH, HEIGHT)
        given.rewind()
        for (pixel in pixels) {
            put(pixel shr 16 and 255)
            put(pixel shr 8 and 255)
            put(pixel and 255)
        }
    }

    private fun decode(): Bitmap {
        val width = WIDTH * SCALE
        val height = HEIGHT * SCALE
        val pixels = IntArray(width * height) { i ->
            (255 shl 24) or (colour(3 * i) shl 16) or (colour(3 * i + 1) shl 8) or colour(3 * i + 2)
        }
        return Bitmap.createBitmap(pixels, width, height, Bitmap.Config.ARGB_8888)
    }

$pixels

    companion object {
        const val FOLDER = "edgesr/$folder"
        const val DELEGATE = "$delegate"
        const val THREADS = $threads
        const val WIDTH = $width
        const val HEIGHT = $height
        const val SCALE = $scale

        /** Kind of delegate; how far off golden-output.bin any output value may be, and the mean. */
        val TOLERANCE = mapOf(
$tolerance
        )

        private const val INPUT_BYTES = $input_bytes
        private const val OUTPUT_BYTES = $output_bytes

        private fun bytes(count: Int): ByteBuffer =
            ByteBuffer.allocateDirect(count).order(ByteOrder.nativeOrder())
    }
}
