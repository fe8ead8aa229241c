import org.imagegate.Recheck

/** See recheckImages.txt. */
Map call(Object parameters = [:], Object more = null) {
    return new Recheck(this).run([parameters, more])
}
