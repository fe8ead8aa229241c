import org.imagegate.Bridge
import org.imagegate.Promotion

/** See gateImage.txt. */
Map call(Object parameters = [:], Object more = null) {
    return new Bridge(this).conclude(new Promotion(this).ask([parameters, more]))
}
